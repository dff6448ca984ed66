/** Sign-in: a page of its own at first, a dialog over the page after a session lapsed. */
import { type SyntheticEvent, useState } from "react";

import { Logo } from "@/components/logo";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { useLive } from "@/lib/live";
import { ApiError } from "@/lib/session";
import { testId } from "@/lib/testids";

function cause(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.status === 401 || error.status === 400) return "User, password or code is not right.";
    if (error.status === 429) return error.message;
    return `${error.message} Try again.`;
  }
  if (error instanceof TypeError || error instanceof DOMException) {
    return "The server could not be reached. Try again.";
  }
  throw error;
}

function Form({ username }: { readonly username?: string }) {
  const { session } = useLive();
  const [user, setUser] = useState(username ?? "");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      await session.signIn(user.trim(), password, code.trim());
    } catch (failure) {
      setError(cause(failure));
      setPassword("");
      setBusy(false);
    }
  };
  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!busy) void submit();
  };

  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-4">
      <Input
        label="User"
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        autoFocus={username === undefined}
        value={user}
        data-testid={testId.loginUser}
        onChange={(event) => setUser(event.target.value)}
      />
      <Input
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        autoFocus={username !== undefined}
        value={password}
        data-testid={testId.loginPassword}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Input
        label="Code, for users with a second factor"
        name="code"
        inputMode="numeric"
        autoComplete="one-time-code"
        maxLength={16}
        value={code}
        data-testid={testId.loginCode}
        onChange={(event) => setCode(event.target.value)}
      />
      <p
        role="alert"
        data-testid={testId.loginError}
        className="min-h-[18px] text-body font-medium text-crit-text"
      >
        {error ?? ""}
      </p>
      <Button type="submit" tone="primary" disabled={busy} data-testid={testId.loginSubmit} className="min-h-10">
        {busy ? "Signing in" : "Sign in"}
      </Button>
    </form>
  );
}

export function SignInPage() {
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-[360px]">
        <div className="mb-6 flex items-center gap-3">
          <Logo size={32} />
          <div>
            <h1 className="text-title font-semibold">Spreadline</h1>
            <p className="text-caption text-text-3">Operator console</p>
          </div>
        </div>
        <div className="rounded-card border border-line bg-surface-1 p-5">
          <Form />
        </div>
      </div>
    </main>
  );
}

export function SignInAgain({ username }: { readonly username: string }) {
  return (
    <div className="fixed inset-0 z-50 grid place-items-center bg-[rgb(0_0_0/0.62)] p-4">
      <div
        role="dialog"
        aria-modal="true"
        aria-label="Sign in again"
        className="w-full max-w-[360px] rounded-card border border-line-2 bg-surface-2 p-5 shadow-overlay"
      >
        <h2 className="text-title font-semibold">Session ended</h2>
        <p className="mt-1 mb-4 text-body text-text-2">Sign in again to go on where you were.</p>
        <Form username={username} />
      </div>
    </div>
  );
}
