// The start of the pages: draws the frame, and asks the pool who is signed in.
import { render } from "preact";
import { App } from "./app.tsx";
import { lang } from "./i18n.ts";
import { readSession } from "./signin.ts";

document.documentElement.lang = lang.value;
void readSession();
render(<App />, document.getElementById("app")!);
