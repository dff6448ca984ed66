/** One kind of inspection: when it was made, for how long it counts, and each of its looks. */
import { Check, Clock, TriangleAlert } from "lucide-react";

import { Card, Empty } from "@/components/ui/card";
import { Chip } from "@/components/ui/chip";
import { UtcTime } from "@/components/values";
import { cn } from "@/lib/cn";
import type { Health } from "@/lib/api";
import * as format from "@/lib/format";
import { useNow } from "@/lib/live";
import { testId } from "@/lib/testids";
import { spelled } from "@/lib/words";

type Inspection = Health["inspections"][number];

const WORDS: Record<string, { title: string; context: string; none: string }> = {
  canary: {
    title: "Canaries",
    context: "at the start and daily, by the engine",
    none: "Not tried yet. The engine tries them at its start, when market data is up.",
  },
  preflight: {
    title: "Preflight",
    context: "before going live, by a person",
    none: "Not made yet. `manage.py preflight` looks at everything that going live needs.",
  },
};

/** How a finding counts now: green and young enough, too old, or red. */
export function standing(found: Pick<Inspection, "is_green" | "at_ns" | "lasts_s">, nowMs: number): "green" | "old" | "red" {
  if (!found.is_green) return "red";
  const age = nowMs - found.at_ns / 1e6;
  return found.lasts_s !== null && age > found.lasts_s * 1000 ? "old" : "green";
}

const STANDING = {
  green: { tone: "quiet", icon: Check, word: "All green" },
  old: { tone: "paused", icon: Clock, word: "Too old to count" },
  red: { tone: "blocked", icon: TriangleAlert, word: "Red" },
} as const;

export function InspectionCard({ kind, found }: { readonly kind: string; readonly found: Inspection | undefined }) {
  const now = useNow();
  const words = WORDS[kind] ?? { title: spelled(kind), context: "", none: "" };
  if (found === undefined) {
    return (
      <Card title={words.title} context={words.context} testId={testId.inspection(kind)}>
        <Empty>{words.none}</Empty>
      </Card>
    );
  }
  const age = Math.max(0, now - found.at_ns / 1e6);
  const { tone, icon, word } = STANDING[standing(found, now)];
  const lasts = found.lasts_s === null ? "" : `, counts ${format.roughAge(found.lasts_s * 1000)}`;
  return (
    <Card
      title={words.title}
      context={words.context}
      testId={testId.inspection(kind)}
      aside={
        <>
          <span title={new Date(found.at_ns / 1e6).toISOString()}>{format.roughAge(age)} ago{lasts}</span>
          <Chip tone={tone} icon={icon} data-state={standing(found, now)}>{word}</Chip>
        </>
      }
    >
      <ul>
        {found.checks.map((check) => (
          <li
            key={check.name}
            data-testid={testId.checkRow(kind, check.name)}
            data-state={check.is_green ? "green" : "red"}
            className="flex items-start gap-2.5 border-b border-line px-3.5 py-2 last:border-b-0"
          >
            {check.is_green ? (
              <Check aria-label="green" size={15} strokeWidth={1.75} className="mt-0.5 shrink-0 text-text-3" />
            ) : (
              <TriangleAlert aria-label="red" size={15} strokeWidth={1.75} className="mt-0.5 shrink-0 text-warn" />
            )}
            <span className="min-w-0 flex-1">
              <span className="mr-3 inline-block font-medium first-letter:uppercase">{check.name}</span>
              <span className={cn("break-words", check.is_green ? "text-text-2" : "text-warn")}>{check.seen}</span>
              {check.is_green || check.remedy === "" ? null : (
                <span className="block text-caption text-text-2">Remedy: {check.remedy}.</span>
              )}
            </span>
          </li>
        ))}
      </ul>
      <p className="mt-auto border-t border-line px-3.5 py-2 text-caption text-text-3">
        by {found.actor} at <UtcTime atMs={found.at_ns / 1e6} /> UTC
      </p>
    </Card>
  );
}
