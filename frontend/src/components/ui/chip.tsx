/** A state in a row: icon, word, and a pattern where colour alone would not do. */
import { cva, type VariantProps } from "class-variance-authority";
import type { LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

const look = cva(
  "inline-flex h-[22px] items-center gap-1.5 whitespace-nowrap rounded-chip border px-2 text-caption font-medium",
  {
    variants: {
      tone: {
        armed: "border-lime-line bg-lime-soft font-semibold text-lime",
        quiet: "border-line-2 bg-transparent text-text-3",
        info: "border-info-line bg-info-soft text-info",
        paused: "border-warn-line bg-warn-soft text-warn",
        autoPaused: "stripes-warn-fine border-warn-line text-warn",
        blocked: "border-crit-line bg-crit-soft text-crit-soft-text",
        notice: "border-line-2 bg-surface-2 text-text-2",
      },
    },
  },
);

type ChipProps = ComponentProps<"span"> &
  VariantProps<typeof look> & { readonly icon: LucideIcon; readonly children: string };

export function Chip({ tone, icon: Icon, children, className, ...rest }: ChipProps) {
  return (
    <span className={cn(look({ tone }), className)} {...rest}>
      <Icon aria-hidden="true" size={13} strokeWidth={1.75} />
      {children}
    </span>
  );
}
