/** A switch that shows what the engine reports, not what was clicked. */
import { Switch as Primitive } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

export function Switch({ className, ...rest }: ComponentProps<typeof Primitive.Root>) {
  return (
    <Primitive.Root
      className={cn(
        "relative h-[18px] w-8 shrink-0 rounded-full border border-line-control bg-surface-3 transition-colors duration-[120ms] data-[state=checked]:border-info data-[state=checked]:bg-info disabled:cursor-not-allowed disabled:border-line-2",
        // The visible switch is small; the target is not.
        "before:absolute before:-inset-[7px] before:content-['']",
        className,
      )}
      {...rest}
    >
      <Primitive.Thumb className="block size-3 translate-x-[2px] rounded-full bg-text-2 transition-transform duration-[120ms] data-[state=checked]:translate-x-4 data-[state=checked]:bg-canvas data-[disabled]:bg-text-disabled" />
    </Primitive.Root>
  );
}
