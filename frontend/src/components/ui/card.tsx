/** A card: title, one line of context, something on the right, content that may fail alone. */
import type { ReactNode } from "react";

import { cn } from "@/lib/cn";

interface CardProps {
  readonly title: string;
  readonly context?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
  readonly testId?: string;
}

export function Card({ title, context, aside, children, className, testId }: CardProps) {
  return (
    <section
      aria-label={title}
      data-testid={testId}
      className={cn(
        "flex min-w-0 flex-col overflow-hidden rounded-card border border-line bg-surface-1",
        className,
      )}
    >
      <header className="flex min-h-[42px] items-center gap-x-2.5 gap-y-1 border-b border-line px-3.5 py-2 max-sm:flex-wrap">
        <h2 className="text-body font-semibold whitespace-nowrap">{title}</h2>
        <div className="line-clamp-2 min-w-0 text-caption text-text-3 empty:hidden max-sm:order-last max-sm:basis-full">{context}</div>
        <div className="ml-auto flex shrink-0 items-center gap-3 text-caption text-text-3 max-sm:shrink max-sm:flex-wrap">
          {aside}
        </div>
      </header>
      {children}
    </section>
  );
}

/** One sentence that says why nothing is here. */
export function Empty({ children }: { readonly children: ReactNode }) {
  return (
    <p className="flex flex-1 items-center justify-center px-4 py-8 text-center text-body text-text-3">
      {children}
    </p>
  );
}

/** Rows in the final shape while the first data is on its way. */
export function SkeletonRows({ rows, height }: { readonly rows: number; readonly height: number }) {
  return (
    <div aria-hidden="true" className="flex flex-col">
      {Array.from({ length: rows }, (_, index) => (
        <div
          key={index}
          style={{ height }}
          className="flex items-center gap-4 border-b border-line px-3.5 last:border-b-0"
        >
          <div className="h-3 w-16 rounded-bar bg-surface-3" />
          <div className="h-3 flex-1 rounded-bar bg-surface-2" />
          <div className="h-3 w-20 rounded-bar bg-surface-3" />
        </div>
      ))}
    </div>
  );
}
