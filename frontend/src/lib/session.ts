/**
 * Who is signed in. The access token lives in memory only; the refresh cookie is HttpOnly.
 *
 * Renewals of several tabs are taken one after the other: the server rotates the cookie, and
 * two tabs that renewed at once would end each other's session.
 */
import { z } from "zod";

const userSchema = z.object({
  username: z.string(),
  role: z.string().nullable().default(""),
  permissions: z.array(z.string()).default([]),
});
const grantSchema = z.object({ access: z.string().min(1), user: userSchema });
const errorSchema = z.object({
  code: z.string(),
  detail: z.string(),
  request_id: z.string().optional(),
});

export type User = z.infer<typeof userSchema>;

export type SessionState =
  | { readonly phase: "starting" }
  | { readonly phase: "anonymous" }
  | { readonly phase: "signed_in"; readonly user: User; readonly access: string }
  | { readonly phase: "lapsed"; readonly user: User };

/** A refusal of the server, with its code and the id to quote. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly requestId: string | null,
  ) {
    super(detail);
    this.name = "ApiError";
  }
}

/** Read the server's error body; an unreadable one still becomes an ApiError. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const body = errorSchema.parse(JSON.parse(text));
    return new ApiError(response.status, body.code, body.detail, body.request_id ?? null);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    return new ApiError(response.status, "unreadable", `The server answered ${response.status}.`, null);
  }
}

/** Why a call did not come off, in words, and whether the same call may be sent again. */
export function causeOf(error: unknown): { cause: string; retry: boolean } {
  if (error instanceof ApiError) {
    return { cause: error.message, retry: error.status >= 500 || error.status === 429 };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return { cause: "The server did not answer in time.", retry: true };
  }
  return { cause: "The server could not be reached.", retry: true };
}

/** What a permission is called by the server, alone or behind an app label. */
export function allowed(user: User, permission: string): boolean {
  return user.permissions.some((name) => name === permission || name.endsWith(`.${permission}`));
}

type Listener = () => void;

export class Session {
  private current: SessionState = { phase: "starting" };
  private readonly listeners = new Set<Listener>();
  private renewal: Promise<boolean> | null = null;

  state = (): SessionState => this.current;

  subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  /** Sign in; throws ApiError with the server's words, TypeError when it cannot be reached. */
  async signIn(username: string, password: string, code = ""): Promise<void> {
    const response = await post("/v1/auth/token", { username, password, code });
    if (!response.ok) throw await errorOf(response);
    this.grant(await response.json());
  }

  async signOut(): Promise<void> {
    const access = this.current.phase === "signed_in" ? this.current.access : null;
    this.become({ phase: "anonymous" });
    await post("/v1/auth/logout", {}, access);
  }

  /** Renew by the cookie; false when the session is over. Throws when the server is away. */
  renew = (): Promise<boolean> => {
    this.renewal ??= this.renewOnce().finally(() => {
      this.renewal = null;
    });
    return this.renewal;
  };

  private async renewOnce(): Promise<boolean> {
    const response = await oneTabAtATime(() => post("/v1/auth/refresh", {}));
    if (response.ok) {
      this.grant(await response.json());
      return true;
    }
    if (response.status >= 500) throw await errorOf(response);
    this.lapse();
    return false;
  }

  /** The session is over: keep the person's page, ask who it is. */
  lapse(): void {
    if (this.current.phase === "signed_in") this.become({ phase: "lapsed", user: this.current.user });
    else if (this.current.phase === "starting") this.become({ phase: "anonymous" });
  }

  private grant(body: unknown): void {
    const { access, user } = grantSchema.parse(body);
    this.become({ phase: "signed_in", access, user });
  }

  private become(state: SessionState): void {
    this.current = state;
    for (const listener of this.listeners) listener();
  }
}

async function oneTabAtATime(run: () => Promise<Response>): Promise<Response> {
  // Absent outside secure contexts, where the console is not served anyway.
  const locks = (navigator as { locks?: LockManager }).locks;
  return locks === undefined ? run() : await locks.request("spreadline-renew", run);
}

const TIMEOUT_MS = 8000;

function post(path: string, body: object, access: string | null = null): Promise<Response> {
  return fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      ...(access === null ? {} : { Authorization: `Bearer ${access}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}
