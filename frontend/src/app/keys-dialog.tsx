/** The list of keys. */
import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { testId } from "@/lib/testids";

import { SCREENS } from "./screens";

const ROWS: readonly (readonly [string, string])[] = [
  ["⇧P", "Pause the engine"],
  ["⇧K", "Open the kill dialog"],
  ...SCREENS.map((screen) => [`G ${screen.key}`, `Go to ${screen.label}`] as const),
  ["B", "Focus the banners"],
  ["?", "This list"],
  ["Esc", "Close"],
];

export function KeysDialog({ open, onOpenChange }: {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
}) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keys" testId={testId.keysDialog}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-2.5">
        {ROWS.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <Kbd>{key}</Kbd>
            </dt>
            <dd className="text-text-2">{what}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-caption text-text-3">No key alone ever resumes or starts trading.</p>
    </Dialog>
  );
}
