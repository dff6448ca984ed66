/** A plain dialog for things to read. */
import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";

interface DialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly title: string;
  readonly children: ReactNode;
  readonly testId: string;
}

export function Dialog({ open, onOpenChange, title, children, testId }: DialogProps) {
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-[rgb(0_0_0/0.62)]" />
        <Primitive.Content
          data-testid={testId}
          aria-describedby={undefined}
          className="fixed top-1/2 left-1/2 z-50 max-h-[90dvh] w-[min(460px,calc(100vw-32px))] -translate-x-1/2 -translate-y-1/2 overflow-auto rounded-card border border-line-2 bg-surface-2 p-5 shadow-overlay"
        >
          <div className="flex items-center justify-between">
            <Primitive.Title className="text-title font-semibold">{title}</Primitive.Title>
            <Primitive.Close
              aria-label="Close"
              className="grid size-8 place-items-center rounded-control text-text-2 hover:bg-surface-3"
            >
              <X aria-hidden="true" size={16} strokeWidth={1.75} />
            </Primitive.Close>
          </div>
          <div className="mt-3">{children}</div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
