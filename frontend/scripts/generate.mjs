/** `npm run generate`: TypeScript types from the API's schema, when the schema is there. */
import { existsSync, writeFileSync } from "node:fs";

import openapiTS, { astToString } from "openapi-typescript";

const schema = new URL("../openapi.json", import.meta.url);
const target = new URL("../src/lib/schema.d.ts", import.meta.url);

if (existsSync(schema)) {
  writeFileSync(target, astToString(await openapiTS(schema)));
  console.log("src/lib/schema.d.ts written");
} else {
  console.log("openapi.json is not here yet; nothing generated");
}
