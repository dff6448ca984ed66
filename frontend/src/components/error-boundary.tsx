/** One broken card never blanks the screen or the status bar. */
import { Component, type ReactNode } from "react";

import { Button } from "./ui/button";

interface State {
  readonly cause: string | null;
}

export class CardBoundary extends Component<{ readonly name: string; readonly children: ReactNode }, State> {
  override state: State = { cause: null };

  static getDerivedStateFromError(error: unknown): State {
    return { cause: error instanceof Error ? error.message : "unknown" };
  }

  override render(): ReactNode {
    if (this.state.cause === null) return this.props.children;
    return (
      <section
        role="alert"
        className="flex flex-col items-start gap-3 rounded-card border border-line bg-surface-1 p-3.5"
      >
        <p>
          <span className="font-semibold">{this.props.name} could not be drawn.</span>{" "}
          <span className="text-text-2">{this.state.cause}</span>
        </p>
        <Button onClick={() => this.setState({ cause: null })}>Retry</Button>
      </section>
    );
  }
}
