/** The screens that exist, in the order of the sidebar. */
import {
  ChartNoAxesCombined,
  HeartPulse,
  LayoutDashboard,
  type LucideIcon,
  Radar,
  ReceiptText,
  SlidersHorizontal,
} from "lucide-react";

export interface Screen {
  readonly name: string;
  readonly path: string;
  readonly label: string;
  /** On a phone, where the label is too wide. */
  readonly short?: string;
  readonly key: string;
  readonly icon: LucideIcon;
}

export const SCREENS: readonly Screen[] = [
  { name: "overview", path: "/", label: "Overview", key: "O", icon: LayoutDashboard },
  { name: "opportunities", path: "/opportunities", label: "Opportunities", short: "Opport.", key: "P", icon: Radar },
  { name: "trades", path: "/trades", label: "Trades", key: "T", icon: ReceiptText },
  { name: "reports", path: "/reports", label: "Reports", key: "A", icon: ChartNoAxesCombined },
  { name: "assets", path: "/asset-modes", label: "Assets", key: "S", icon: SlidersHorizontal },
  { name: "health", path: "/health", label: "Health", key: "H", icon: HeartPulse },
];
