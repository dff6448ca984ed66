/** The application: who is signed in decides between the frame and the sign-in page. */
import { lazy, Suspense, useEffect, useState } from "react";
import { createBrowserRouter, Navigate, RouterProvider } from "react-router";

import { SkeletonRows } from "@/components/ui/card";
import { Overview } from "@/features/overview/overview";
import { SignInAgain, SignInPage } from "@/features/signin/sign-in";
import { type Live, LiveContext, useSession } from "@/lib/live";

import { Frame } from "./frame";

const Opportunities = lazy(async () => ({
  default: (await import("@/features/opportunities/opportunities")).Opportunities,
}));
const Trades = lazy(async () => ({ default: (await import("@/features/trades/trades")).Trades }));
const Reports = lazy(async () => ({ default: (await import("@/features/reports/reports")).Reports }));
const Study = lazy(async () => ({ default: (await import("@/features/reports/study")).Study }));

const Assets = lazy(async () => ({ default: (await import("@/features/assets/assets")).Assets }));
const Health = lazy(async () => ({ default: (await import("@/features/health/health")).Health }));

const waiting = <SkeletonRows rows={10} height={40} />;

const router = createBrowserRouter([
  {
    path: "/",
    element: <Frame />,
    children: [
      { index: true, element: <Overview /> },
      { path: "opportunities", element: <Suspense fallback={waiting}><Opportunities /></Suspense> },
      { path: "trades", element: <Suspense fallback={waiting}><Trades /></Suspense> },
      { path: "reports", element: <Suspense fallback={waiting}><Reports /></Suspense> },
      { path: "reports/studies/:id", element: <Suspense fallback={waiting}><Study /></Suspense> },
      { path: "asset-modes", element: <Suspense fallback={waiting}><Assets /></Suspense> },
      { path: "health", element: <Suspense fallback={waiting}><Health /></Suspense> },
      { path: "*", element: <Navigate to="/" replace /> },
    ],
  },
]);

/** After a lapse the page stays in sight this long, then only the question who it is. */
const SEEN_AFTER_LAPSE_MS = 10_000;

function Gate() {
  const state = useSession();
  const lapsed = state.phase === "lapsed";
  if (state.phase === "starting") {
    return <p className="grid min-h-dvh place-items-center text-text-3">Connecting to Spreadline</p>;
  }
  if (state.phase === "anonymous") return <SignInPage />;
  return (
    <>
      <LapsedPage lapsed={lapsed} />
      {lapsed ? <SignInAgain username={state.user.username} /> : null}
    </>
  );
}

/** One element in both phases, so that nothing typed is lost when a session lapses. */
function LapsedPage({ lapsed }: { readonly lapsed: boolean }) {
  const hidden = useHiddenAfter(lapsed, SEEN_AFTER_LAPSE_MS);
  return (
    <div inert={lapsed} className={hidden ? "invisible" : undefined}>
      <RouterProvider router={router} />
    </div>
  );
}

function useHiddenAfter(lapsed: boolean, ms: number): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!lapsed) return undefined;
    const timer = setTimeout(() => setOver(true), ms);
    return () => {
      clearTimeout(timer);
      setOver(false);
    };
  }, [lapsed, ms]);
  return lapsed && over;
}

export function App({ live }: { readonly live: Live }) {
  return (
    <LiveContext value={live}>
      <Gate />
    </LiveContext>
  );
}
