/** Button in the console's few looks; verb plus object is its label. */
import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

const look = cva(
  "inline-flex min-h-8 items-center justify-center gap-2 whitespace-nowrap rounded-control px-3 text-body font-medium transition-colors duration-[120ms] ease-out disabled:cursor-not-allowed disabled:border-line disabled:bg-transparent disabled:text-text-disabled max-sm:min-h-11",
  {
    variants: {
      tone: {
        plain: "border border-line-2 bg-surface-1 text-text-1 hover:bg-surface-3",
        primary: "border border-transparent bg-lime font-semibold text-on-lime hover:bg-lime-hover",
        danger: "border border-crit-line bg-crit-soft text-crit-soft-text hover:bg-crit hover:text-on-crit",
        dangerSolid: "border border-transparent bg-crit font-semibold text-on-crit",
        onCrit: "border border-on-crit bg-transparent text-on-crit hover:bg-on-crit hover:text-crit",
        quiet: "border border-transparent bg-transparent text-text-2 hover:bg-surface-3 hover:text-text-1",
      },
    },
    defaultVariants: { tone: "plain" },
  },
);

type ButtonProps = ComponentProps<"button"> & VariantProps<typeof look>;

export function Button({ className, tone, type = "button", ...rest }: ButtonProps) {
  return <button type={type} className={cn(look({ tone }), className)} {...rest} />;
}
