/** Join class names; later Tailwind classes win over earlier ones of the same kind. */
import { type ClassValue, clsx } from "clsx";
import { extendTailwindMerge } from "tailwind-merge";

const merge = extendTailwindMerge({
  extend: {
    theme: {
      text: ["micro", "caption", "body", "title", "kpi", "headline"],
      radius: ["card", "control", "chip", "bar"],
    },
  },
});

export function cn(...classes: ClassValue[]): string {
  return merge(clsx(classes));
}
