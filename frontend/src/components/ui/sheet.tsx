/**
 * A slide-over for the details of one row. Not modal: the status bar, pause and kill stay in
 * reach, and another row can be opened beside it.
 */
import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";

interface SheetProps {
  readonly label: string;
  readonly head: ReactNode;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly testId: string;
  readonly closeTestId: string;
}

export function Sheet({ label, head, onClose, children, testId, closeTestId }: SheetProps) {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    close.current?.focus({ preventScroll: true });
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
    };
  }, []);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const asking = document.querySelector("[role=dialog],[role=alertdialog]") !== null;
      if (event.key === "Escape" && !asking) onClose();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [onClose]);
  return (
    <aside
      aria-label={label}
      data-sheet=""
      data-testid={testId}
      className="fixed inset-y-0 right-0 z-10 flex w-[min(520px,100vw)] flex-col border-l border-line-2 bg-surface-1 pt-[52px] shadow-overlay max-lg:z-[15] max-lg:w-full max-lg:pt-[96px] max-sm:pt-[108px] max-sm:pb-14 sm:max-lg:pl-14"
    >
      <header className="flex items-start gap-3 border-b border-line px-4 py-3">
        <div className="min-w-0 flex-1">{head}</div>
        <button
          ref={close}
          type="button"
          aria-label="Close"
          data-testid={closeTestId}
          onClick={onClose}
          className="grid size-8 shrink-0 place-items-center rounded-control text-text-2 hover:bg-surface-3"
        >
          <X aria-hidden="true" size={16} strokeWidth={1.75} />
        </button>
      </header>
      <div className="flex-1 overflow-y-auto">{children}</div>
    </aside>
  );
}

/** One titled part of a sheet, parted from the next by a hairline. */
export function SheetPart({ title, aside, children, testId }: {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  readonly testId?: string;
}) {
  return (
    <section aria-label={title} data-testid={testId} className="border-b border-line px-4 py-3.5 last:border-b-0">
      <div className="mb-2 flex items-baseline gap-3">
        <h3 className="font-semibold">{title}</h3>
        <div className="ml-auto text-caption text-text-3">{aside}</div>
      </div>
      {children}
    </section>
  );
}

/** Pairs of caption and value in two columns. */
export function Facts({ rows }: { readonly rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-2 gap-x-6 gap-y-1.5 max-sm:grid-cols-1">
      {rows.map(([caption, value]) => (
        <div key={caption} className="flex items-baseline justify-between gap-3 border-b border-line pb-1.5">
          <dt className="text-caption whitespace-nowrap text-text-3">{caption}</dt>
          <dd className="min-w-0 truncate text-right">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
