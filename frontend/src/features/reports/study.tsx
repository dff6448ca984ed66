/** One study: its parameter sets side by side, its plots, its windows; or an ablation's tables. */
import { ArrowLeft } from "lucide-react";
import { Link, useParams } from "react-router";

import { ReadState } from "@/components/read-state";
import { Card } from "@/components/ui/card";
import { UtcTime } from "@/components/values";
import type { StudyHead, StudyPicture } from "@/lib/api";
import * as format from "@/lib/format";
import { useRead } from "@/lib/read";
import { compared } from "@/lib/study";
import { testId } from "@/lib/testids";

import { AblationTables } from "./ablation";
import { StudyPlots } from "./study-plots";
import { StudyWindows } from "./study-windows";

export function Study() {
  const { id = "" } = useParams();
  const read = useRead("/v1/backtests/{study_id}", { study_id: id });
  return (
    <div data-testid={testId.studyScreen} className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <Link to="/reports?tab=studies" className="flex min-h-8 items-center gap-2 text-text-2 hover:text-text-1">
          <ArrowLeft aria-hidden="true" size={16} strokeWidth={1.75} />
          All studies
        </Link>
        {read.data === undefined ? <h1 className="sr-only">Study</h1> : <Head head={read.data.head} />}
      </div>
      {read.data === undefined ? (
        <Card title="Study">
          <ReadState read={read} />
        </Card>
      ) : (
        <Body study={read.data} />
      )}
    </div>
  );
}

function Head({ head }: { readonly head: StudyHead }) {
  return (
    <>
      <h1 className="text-title font-semibold">
        {head.kind === "ablation" ? "Ablation" : "Back-test"} of {head.source}
      </h1>
      <p className="flex flex-wrap gap-x-3 text-caption text-text-3">
        <span>seed {head.seed}</span>
        {head.to_ns > head.from_ns ? <span>{format.age((head.to_ns - head.from_ns) / 1e6)} of market time</span> : null}
        <span>computed in {format.age(head.took_s * 1000)}</span>
        <UtcTime atMs={head.created_at_ns / 1e6} />
        <span>version {head.version}</span>
        {head.source_hash === "" ? null : <span title={head.source_hash} className="font-mono">{format.shortId(head.source_hash)}</span>}
      </p>
    </>
  );
}

function Body({ study }: { readonly study: StudyPicture }) {
  if (study.ablation !== null) return <AblationTables ablation={study.ablation} />;
  return (
    <>
      <SideBySide study={study} />
      <StudyPlots columns={study.columns} />
      <StudyWindows columns={study.columns} />
    </>
  );
}

function SideBySide({ study }: { readonly study: StudyPicture }) {
  return (
    <Card title="Parameter sets side by side" context="the same market, the same luck; 95% intervals">
      <div className="overflow-x-auto">
        <table aria-label="Parameter sets side by side" className="w-full">
          <thead>
            <tr>
              <th className="sticky left-0 bg-surface-1" />
              {study.columns.map((column) => (
                <th key={column.label} scope="col" className="h-9 px-3.5 text-right font-semibold whitespace-nowrap">
                  {column.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {compared(study.columns).map((row) => (
              <tr key={row.caption} className="border-t border-line">
                <th scope="row" className="sticky left-0 h-8 bg-surface-1 px-3.5 text-left font-normal whitespace-nowrap text-text-2">
                  {row.caption}
                </th>
                {row.cells.map((cell, index) => (
                  <td key={index} className="px-3.5 text-right whitespace-nowrap">
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
