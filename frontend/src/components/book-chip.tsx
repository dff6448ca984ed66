/** PAPER beside anything of the paper ledger: colour, flask and word; live needs no mark. */
import { FlaskConical } from "lucide-react";

import type { Trade } from "@/lib/frames";

import { Chip } from "./ui/chip";

export function BookChip({ book }: { readonly book: Trade["book"] }) {
  if (book === "live") return null;
  return (
    <Chip tone="info" icon={FlaskConical} data-state="paper" title="Model fills in a ledger of their own, never summed with live">
      PAPER
    </Chip>
  );
}
