/** The screens that exist, in the order of the sidebar. */
import { ChartNoAxesCombined, LayoutDashboard, type LucideIcon, Radar, ReceiptText } from "lucide-react";

export interface Screen {
  readonly name: string;
  readonly path: string;
  readonly label: string;
  readonly key: string;
  readonly icon: LucideIcon;
}

export const SCREENS: readonly Screen[] = [
  { name: "overview", path: "/", label: "Overview", key: "O", icon: LayoutDashboard },
  { name: "opportunities", path: "/opportunities", label: "Opportunities", key: "P", icon: Radar },
  { name: "trades", path: "/trades", label: "Trades", key: "T", icon: ReceiptText },
  { name: "reports", path: "/reports", label: "Reports", key: "A", icon: ChartNoAxesCombined },
];
