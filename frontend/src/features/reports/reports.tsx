/** What the desk promises and what was found out: promises, prediction errors, studies, feasibility. */
import { useSearchParams } from "react-router";

import { CardBoundary } from "@/components/error-boundary";
import { testId } from "@/lib/testids";

import { FeasibilityReports } from "./feasibility";
import { PaperGap } from "./paper-gap";
import { PredictionErrors } from "./prediction-errors";
import { ServiceLevels } from "./service-levels";
import { Studies } from "./studies";

const TABS = {
  levels: { label: "Service levels", Part: ServiceLevels },
  prediction: { label: "Prediction errors", Part: PredictionErrors },
  paper: { label: "Paper against live", Part: PaperGap },
  studies: { label: "Back-tests", Part: Studies },
  feasibility: { label: "Feasibility", Part: FeasibilityReports },
} as const;
type Tab = keyof typeof TABS;

const isTab = (text: string | null): text is Tab => text !== null && text in TABS;

export function Reports() {
  const [search, setSearch] = useSearchParams();
  const asked = search.get("tab");
  const tab: Tab = isTab(asked) ? asked : "levels";
  const { Part } = TABS[tab];
  return (
    <div data-testid={testId.reportsScreen} className="flex flex-col gap-3">
      <h1 className="sr-only">Reports</h1>
      <div role="tablist" aria-label="Reports" className="flex gap-1 overflow-x-auto border-b border-line">
        {Object.entries(TABS).map(([name, { label }]) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === tab}
            aria-controls="report"
            data-testid={testId.reportsTab(name)}
            onClick={() => setSearch(name === "levels" ? {} : { tab: name })}
            className="min-h-9 shrink-0 border-b-2 border-transparent px-3 whitespace-nowrap text-text-2 outline-offset-[-2px] hover:text-text-1 aria-selected:border-text-1 aria-selected:font-semibold aria-selected:text-text-1 max-sm:min-h-11"
          >
            {label}
          </button>
        ))}
      </div>
      <div id="report" role="tabpanel" aria-label={TABS[tab].label} className="min-w-0">
        <CardBoundary name={TABS[tab].label}>
          <Part />
        </CardBoundary>
      </div>
    </div>
  );
}
