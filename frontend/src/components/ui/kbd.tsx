/** A key cap. */
export function Kbd({ children }: { readonly children: string }) {
  return (
    <kbd className="rounded-[4px] border border-line-2 px-1 font-mono text-micro text-text-3">
      {children}
    </kbd>
  );
}
