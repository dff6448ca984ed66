/** A plain table of events with a sticky head; scrolls inside its card. */
import type { KeyboardEvent, ReactNode } from "react";

import { cn } from "@/lib/cn";

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  readonly right?: boolean;
}

interface ListTableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly rowTestId: (row: Row) => string;
  readonly testId: string;
  /** Rows that open: by click, and by Enter. */
  readonly onOpen?: (row: Row) => void;
  /** The key of the row that is open. */
  readonly opened?: string | null;
}

function opening(open: () => void) {
  return {
    tabIndex: 0,
    onClick: open,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Enter") open();
    },
    style: { cursor: "pointer" },
  };
}

/** Rows that open take the focus; where none does, the box itself must, to be scrolled by key. */
const SCROLLED_BY_KEY = { role: "group", tabIndex: 0 } as const;

export function ListTable<Row>(props: ListTableProps<Row>) {
  const { columns, rows, rowKey, onOpen } = props;
  return (
    // Positioned, so that what only a screen reader sees cannot widen the page.
    <div
      {...(onOpen === undefined ? SCROLLED_BY_KEY : {})}
      aria-label={onOpen === undefined ? `${props.label}, scrolls` : undefined}
      className="relative max-h-[calc(100dvh-190px)] overflow-auto outline-offset-[-2px]"
    >
      <table aria-label={props.label} data-testid={props.testId} className="w-full border-collapse">
        <thead>
          <tr>
            {columns.map((column, index) => (
              <th
                key={column.head}
                scope="col"
                className={cn(
                  "sticky top-0 z-10 h-7 bg-surface-1 px-3.5 text-left text-caption font-normal whitespace-nowrap text-text-3 shadow-[inset_0_-1px_0_var(--line)]",
                  column.right === true && "text-right",
                  index === 0 && "max-lg:left-0 max-lg:z-20",
                )}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              data-testid={props.rowTestId(row)}
              {...(onOpen === undefined ? {} : opening(() => onOpen(row)))}
              aria-current={props.opened === rowKey(row) ? "true" : undefined}
              className="border-b border-line bg-surface-1 outline-offset-[-2px] last:border-b-0 hover:bg-surface-2 aria-[current=true]:bg-surface-2"
            >
              {columns.map((column, index) => (
                <td
                  key={column.head}
                  className={cn(
                    "h-10 px-3.5 whitespace-nowrap",
                    column.right === true && "text-right",
                    index === 0 && "max-lg:sticky max-lg:left-0 max-lg:bg-inherit",
                  )}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
