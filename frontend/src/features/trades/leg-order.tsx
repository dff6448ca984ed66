/** Why the legs went out in this order: the expected value of each order, and its inputs. */
import { Facts, SheetPart } from "@/components/ui/sheet";
import type { Intent } from "@/lib/api";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";
import { ORDER_WORDS, orderOptions } from "@/lib/trade-detail";

export function LegOrder({ verdict, edgeBps }: {
  readonly verdict: Intent["verdict"];
  readonly edgeBps: number;
}) {
  return (
    <SheetPart
      title={`Order of the legs: ${ORDER_WORDS[verdict.order]}`}
      testId={testId.tradeOrder}
      aside={verdict.forced_by_config ? "set by the configuration" : "the best expected value"}
    >
      <table aria-label="Expected value of each order" className="mb-3 w-full">
        <tbody>
          {orderOptions(verdict).map(({ order, bps }) => (
            <tr key={order} className="border-b border-line">
              <th
                scope="row"
                className={cn(
                  "h-7 text-left font-normal",
                  order === verdict.order ? "font-semibold text-text-1" : "text-text-2",
                )}
              >
                {ORDER_WORDS[order]}
                {order === verdict.order ? <span className="ml-2 text-caption font-normal text-text-3">chosen</span> : null}
              </th>
              <td className={cn("text-right", order === verdict.order ? "font-semibold" : "text-text-2")}>
                {format.bps(bps, true)} bps
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Facts
        rows={[
          ["Net edge", `${format.bps(edgeBps, true)} bps`],
          ["Swap lands", `${format.percent(verdict.p_land)}, at worst ${format.percent(verdict.p_land_lower)}`],
          ["Kraken fills", format.percent(verdict.q_fill)],
          ["Unwind cost", `${format.bps(verdict.unwind_bps)} bps`],
          ["Drift while waiting", `${format.bps(verdict.drift_bps)} bps`],
          ["Failed swap", `${format.bps(verdict.fail_fee_bps)} bps`],
          ["Congestion", verdict.congestion],
          ["Gap opened", verdict.opening],
        ]}
      />
    </SheetPart>
  );
}
