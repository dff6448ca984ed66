/** What was decided about a left-over, each time, with the cost of every way out. */
import { SheetPart } from "@/components/ui/sheet";
import { Money, UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import * as format from "@/lib/format";
import { testId } from "@/lib/testids";
import type { Verdict, WayOut } from "@/lib/trade-detail";
import { actWord } from "@/lib/words";

export function ResidualVerdicts({ verdicts, asset }: {
  readonly verdicts: readonly Verdict[];
  readonly asset: string;
}) {
  return (
    <SheetPart title="Left-over and what was decided" testId={testId.tradeVerdicts}>
      <ol className="flex flex-col gap-3">
        {verdicts.map((verdict, index) => (
          <li key={`${verdict.atMs}-${index}`} className="rounded-control border border-line px-3 py-2">
            <div className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-semibold">{actWord(verdict.act)}</span>
              <span className="text-text-2">
                {format.quantity(verdict.residual)} {asset}, <Money value={verdict.notionalUsd} decimals={2} />
              </span>
              <UtcTime atMs={verdict.atMs} className="ml-auto text-text-3" />
            </div>
            <p className="text-caption text-text-2">
              {verdict.reason}. Naked for {format.age(verdict.nakedMs)}.
            </p>
            <Ways ways={verdict.ways} chosen={verdict} />
          </li>
        ))}
      </ol>
    </SheetPart>
  );
}

/** Every way with its cost, or why it was not open. */
export function Ways({ ways, chosen }: {
  readonly ways: readonly WayOut[];
  readonly chosen: Pick<Verdict, "act" | "venue">;
}) {
  if (ways.length === 0) return null;
  return (
    <table aria-label="Cost of every way out" className="mt-1.5 w-full text-caption">
      <tbody>
        {ways.map((way) => {
          const taken = way.act === chosen.act && way.venue === chosen.venue;
          return (
            <tr key={`${way.act}-${way.venue}`} className="border-t border-line">
              <th scope="row" className={cn("py-1 text-left font-normal whitespace-nowrap", taken ? "font-semibold" : "text-text-2")}>
                {actWord(way.act)}
                {way.venue === "" ? "" : ` on ${way.venue}`}
              </th>
              <td className="px-3 text-text-3">{way.why}</td>
              <td className={cn("text-right whitespace-nowrap", taken ? "font-semibold" : "text-text-2")}>
                {way.costUsd === null ? "not open" : <Money value={way.costUsd} decimals={4} />}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
