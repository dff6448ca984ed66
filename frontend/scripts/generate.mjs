/** `npm run generate`: TypeScript types of the API from its schema; untouched when already so. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

import openapiTS, { astToString } from "openapi-typescript";

const schema = new URL("../openapi.json", import.meta.url);
const target = new URL("../src/lib/schema.d.ts", import.meta.url);

const types = astToString(await openapiTS(schema));
// A new time of an old file would make the console be built again.
if (!existsSync(target) || readFileSync(target, "utf8") !== types) writeFileSync(target, types);
