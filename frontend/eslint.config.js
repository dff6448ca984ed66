/** Lint: types, hooks, one-way imports (app > features > components > ui > lib), tokens only, exact money. */
import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

const upward = {
  lib: ["@/components/*", "@/components/**", "@/features/**", "@/app/**", "react-router"],
  "components/ui": ["@/components/*", "@/features/**", "@/app/**"],
  components: ["@/features/**", "@/app/**"],
  features: ["@/app/**"],
};

/** Features never import each other: only their own folder, by relative name. */
const layer = (folder, banned) => ({
  files: [`src/${folder}/**/*.{ts,tsx}`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          { group: ["../*"], message: "Use the @/ alias across folders." },
          { group: banned, message: `${folder} may not import from a layer above it.` },
          ...(folder === "features"
            ? [{ group: ["@/features/*/*"], message: "Features do not import each other." }]
            : []),
        ],
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/lib/schema.d.ts"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: { project: "./tsconfig.node.json", tsconfigRootDir: import.meta.dirname },
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    ...reactHooks.configs.flat["recommended-latest"],
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "parseFloat", message: "Money is decimal text: use lib/decimal." },
      ],
      "no-restricted-properties": [
        "error",
        { object: "Number", property: "parseFloat", message: "Money is decimal text: use lib/decimal." },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "Literal[value=/#[0-9a-fA-F]{3,8}\\b/]",
          message: "Colours come from the tokens in index.css.",
        },
        {
          selector: "TemplateElement[value.raw=/#[0-9a-fA-F]{3,8}\\b/]",
          message: "Colours come from the tokens in index.css.",
        },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  ...Object.entries(upward).map(([folder, banned]) => layer(folder, banned)),
  {
    files: ["src/**/*.test.{ts,tsx}", "src/testing/**"],
    rules: { "no-restricted-syntax": "off", "no-restricted-imports": "off" },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { ...globals.node, ...globals.browser }, parserOptions: { project: null } },
  },
);
