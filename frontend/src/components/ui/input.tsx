/** One-line text input with its label and an error that names the fix. */
import type { ComponentProps } from "react";
import { useId } from "react";

import { cn } from "@/lib/cn";

type InputProps = ComponentProps<"input"> & { readonly label: string; readonly hint?: string };

export function Input({ label, hint, className, ...rest }: InputProps) {
  const id = useId();
  return (
    <div className={cn("flex flex-col gap-1.5", className)}>
      <label htmlFor={id} className="text-caption font-medium text-text-2">
        {label}
      </label>
      <input
        id={id}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        className="h-9 rounded-control border border-line-control bg-canvas px-3 text-body text-text-1 outline-offset-2 max-sm:h-11"
        {...rest}
      />
      {hint === undefined ? null : (
        <p id={`${id}-hint`} className="text-caption text-text-3">
          {hint}
        </p>
      )}
    </div>
  );
}
