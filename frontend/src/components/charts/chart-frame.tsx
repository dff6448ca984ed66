/** The frame of every report chart: what it measures, its one-sentence summary, its table. */
import { type ReactNode, useState } from "react";

import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { testId } from "@/lib/testids";

export interface ChartTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

interface ChartFrameProps {
  /** Stable name for tests. */
  readonly name: string;
  /** Measure and unit. */
  readonly title: string;
  readonly context?: string;
  readonly table: ChartTable;
  readonly legend?: ReactNode;
  readonly children: ReactNode;
}

export function ChartFrame({ name, title, context, table, legend, children }: ChartFrameProps) {
  const [asTable, setAsTable] = useState(false);
  return (
    <Card
      title={title}
      context={context}
      testId={testId.chart(name)}
      aside={
        <Button
          tone="quiet"
          className="min-h-6 px-1.5 text-caption font-normal text-text-3"
          aria-pressed={asTable}
          data-testid={testId.chartTable(name)}
          onClick={() => setAsTable(!asTable)}
        >
          {asTable ? "Show as chart" : "Show as table"}
        </Button>
      }
    >
      {asTable ? <Table label={title} table={table} /> : <div className="px-3.5 pt-3 pb-2">{children}</div>}
      {legend === undefined || asTable ? null : (
        <div className="flex flex-wrap gap-x-4 gap-y-1 px-3.5 pb-3 text-caption text-text-2">{legend}</div>
      )}
    </Card>
  );
}

function Table({ label, table }: { readonly label: string; readonly table: ChartTable }) {
  return (
    <div className="max-h-[280px] overflow-auto px-3.5 pb-3">
      <table aria-label={label} className="w-full text-caption">
        <thead className="text-text-3">
          <tr>
            {table.head.map((word, index) => (
              <th key={word} scope="col" className={index === 0 ? "py-1.5 text-left font-normal" : "py-1.5 text-right font-normal"}>
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr key={row[0]} className="border-t border-line">
              {row.map((cell, index) => (
                <td key={index} className={index === 0 ? "py-1 whitespace-nowrap" : "py-1 text-right whitespace-nowrap"}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
