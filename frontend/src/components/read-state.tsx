/** What stands in for an answer that is not there: its shape, or why it failed and a retry. */
import { Button } from "./ui/button";
import { SkeletonRows } from "./ui/card";

export function ReadState({ read, rows = 6 }: {
  readonly read: { readonly data: unknown; readonly error: string | null; readonly reload: () => void };
  readonly rows?: number;
}) {
  if (read.error !== null) {
    return (
      <p role="alert" className="flex flex-wrap items-center gap-3 border-b border-line px-3.5 py-2.5 text-warn last:border-b-0">
        {read.data === undefined ? "Not read." : "Shown as last read."} {read.error}
        <Button onClick={read.reload}>Read again</Button>
      </p>
    );
  }
  return read.data === undefined ? <SkeletonRows rows={rows} height={40} /> : null;
}
