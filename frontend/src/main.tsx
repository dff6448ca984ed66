/** Entry: mounts the console. */
import "./index.css";

import { createRoot } from "react-dom/client";

import { App } from "@/app/app";
import { assemble } from "@/app/wiring";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(<App live={assemble()} />);
