/** A dialog for dangerous acts: focus starts on Cancel, a click outside does nothing. */
import { AlertDialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";

import { Button } from "./button";

interface AlertDialogProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly title: string;
  readonly children: ReactNode;
  readonly confirm: ReactNode;
  readonly testId: string;
  /** The word that leaves without acting; never "Cancel" where an order is already out. */
  readonly leave?: string;
}

export function AlertDialog(props: AlertDialogProps) {
  return (
    <Primitive.Root open={props.open} onOpenChange={props.onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-[rgb(0_0_0/0.62)]" />
        <Primitive.Content
          data-testid={props.testId}
          className="fixed top-1/2 left-1/2 z-50 max-h-[90dvh] w-[min(460px,calc(100vw-32px))] -translate-x-1/2 -translate-y-1/2 overflow-auto rounded-card border border-line-2 bg-surface-2 p-5 shadow-overlay"
        >
          <Primitive.Title className="text-title font-semibold">{props.title}</Primitive.Title>
          <Primitive.Description asChild>
            <div className="mt-2 flex flex-col gap-3 text-body text-text-2">{props.children}</div>
          </Primitive.Description>
          <div className="mt-5 flex justify-end gap-2">
            <Primitive.Cancel asChild>
              <Button>{props.leave ?? "Cancel"}</Button>
            </Primitive.Cancel>
            {props.confirm}
          </div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
