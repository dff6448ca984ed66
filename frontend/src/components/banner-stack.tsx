/** The banner slot under the status bar: at most two rows, worst first, the rest behind a count. */
import { Check, OctagonPause, OctagonX, TriangleAlert, Unplug, CircleHelp } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { type Banner, type BannerKind, bannersFor } from "@/lib/banners";
import { cn } from "@/lib/cn";
import { localNow } from "@/lib/clock";
import { useCommands, useDesk, useLive, useNow } from "@/lib/live";
import { testId } from "@/lib/testids";

import { AcknowledgeButton } from "./acknowledge-button";
import { Button } from "./ui/button";

const SHOWN = 2;

const ICON: Record<BannerKind, typeof Check> = {
  killed: OctagonX,
  command: OctagonX,
  operator: TriangleAlert,
  connection: Unplug,
  "no-signal": CircleHelp,
  "auto-paused": OctagonPause,
  incident: TriangleAlert,
  "auto-paused-assets": OctagonPause,
  venue: TriangleAlert,
  "live-again": Check,
};

const TONE: Record<Banner["tone"], string> = {
  crit: "border-crit bg-crit text-on-crit",
  warn: "stripes-warn border-warn-line",
  info: "border-info-line bg-info-soft",
};

function BannerRow({ banner }: { readonly banner: Banner }) {
  const { commands } = useLive();
  const Icon = ICON[banner.kind];
  const crit = banner.tone === "crit";
  const { retry } = banner;
  return (
    <div
      role={crit ? "alert" : "status"}
      data-testid={
        banner.kind === "connection" ? testId.connectionBanner : testId.banner(banner.kind)
      }
      data-state={banner.tone}
      className={cn(
        "flex min-h-[38px] items-center gap-3 rounded-control border px-3.5 py-2 max-sm:flex-wrap",
        TONE[banner.tone],
      )}
    >
      <Icon
        aria-hidden="true"
        size={16}
        strokeWidth={1.75}
        className={cn("shrink-0", banner.tone === "warn" && "text-warn")}
      />
      <p className="min-w-0 flex-1 max-sm:basis-3/4">
        <span className="mr-2.5 font-semibold">{banner.title}</span>
        <span className={crit ? "" : "text-text-2"}>{banner.body}</span>
      </p>
      {retry === undefined ? null : (
        <Button tone={crit ? "onCrit" : "plain"} onClick={() => commands.retry(retry)}>
          Retry
        </Button>
      )}
      {banner.trade === undefined ? null : (
        <Link
          to={`/trades?sel=${banner.trade}`}
          data-testid={testId.bannerTrade}
          className="inline-flex min-h-8 shrink-0 items-center rounded-control border border-on-crit px-3 font-medium whitespace-nowrap hover:bg-on-crit hover:text-crit max-sm:min-h-11"
        >
          Open trade
        </Link>
      )}
      {banner.acknowledge === undefined ? null : (
        <AcknowledgeButton incident={banner.acknowledge} tone="onCrit" testId={testId.bannerAck} />
      )}
    </div>
  );
}

export function BannerStack() {
  const status = useDesk("status");
  const connection = useDesk("connection");
  const incidents = useDesk("incidents") ?? [];
  const trades = useDesk("trades") ?? [];
  const commands = useCommands();
  const nowMs = useNow();
  const [open, setOpen] = useState(false);
  const rows = bannersFor({ status, connection, incidents, trades, commands, nowMs, localMs: localNow() });
  const shown = open ? rows : rows.slice(0, SHOWN);
  const more = rows.length - SHOWN;
  return (
    <div
      id="banners"
      tabIndex={-1}
      data-testid={testId.bannerStack}
      className={cn("flex flex-col gap-2 outline-none", rows.length > 0 && "px-4 pt-3 max-sm:px-3")}
    >
      {shown.map((banner, index) => (
        <BannerRow key={`${banner.kind}-${index}`} banner={banner} />
      ))}
      {more > 0 ? (
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="min-h-6 self-start px-1 text-caption text-text-2 underline underline-offset-2"
        >
          {open ? "Show the worst two" : `+${more} more`}
        </button>
      ) : null}
    </div>
  );
}
