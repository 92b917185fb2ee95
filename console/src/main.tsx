// SPDX-License-Identifier: Apache-2.0
import "@cloudscape-design/global-styles/index.css";
import "./app.css";
import { I18nProvider } from "@cloudscape-design/components/i18n";
import messages from "@cloudscape-design/components/i18n/messages/all.en";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";

const root = document.getElementById("root");
if (root) {
    createRoot(root).render(
        <StrictMode>
            <I18nProvider locale="en" messages={[messages]}>
                <App />
            </I18nProvider>
        </StrictMode>,
    );
}
