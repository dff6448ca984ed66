/** The mark of Spreadline: two venues, opposite ways. */
import { ArrowLeftRight } from "lucide-react";

export function Logo({ size = 24 }: { readonly size?: number }) {
  return (
    <span
      aria-hidden="true"
      style={{ width: size, height: size }}
      className="grid shrink-0 place-items-center rounded-chip bg-lime text-on-lime"
    >
      <ArrowLeftRight size={size * 0.62} strokeWidth={2.4} />
    </span>
  );
}
