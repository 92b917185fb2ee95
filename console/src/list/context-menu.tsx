// SPDX-License-Identifier: Apache-2.0
// A menu at the pointer: Cloudscape's button dropdown on a button nobody sees, opened at once. Keyboard, submenus and
// reasons of disabled entries come with it. It goes when its dropdown closes, and gives the focus back.
import { ButtonDropdown, type ButtonDropdownProps } from "@cloudscape-design/components";
import { useEffect, useRef, type ReactNode } from "react";

export interface Place {
    x: number;
    y: number;
}

// The dropdown opens below its button; the button's height above the pointer puts it at the pointer.
const kButtonHeight = 32;

interface ContextMenuProps {
    place: Place;
    items: ButtonDropdownProps.Items;
    onChoose(id: string): void;
    onClose(): void;
}

export function ContextMenu({ place, items, onChoose, onClose }: ContextMenuProps): ReactNode {
    const anchor = useRef<HTMLDivElement>(null);

    useEffect(() => {
        const button = anchor.current?.querySelector("button");
        if (!button) {
            return undefined;
        }
        const before = document.activeElement;
        button.click();
        const observer = new MutationObserver(() => {
            if (button.getAttribute("aria-expanded") === "false") {
                if (before instanceof HTMLElement) {
                    before.focus();
                }
                onClose();
            }
        });
        observer.observe(button, { attributeFilter: ["aria-expanded"] });
        return () => observer.disconnect();
    }, [onClose]);

    return (
        <div ref={anchor} className="context-menu-anchor" style={{ left: place.x, top: place.y - kButtonHeight }}>
            <ButtonDropdown
                items={items}
                expandToViewport
                expandableGroups
                ariaLabel="Actions for the selection"
                onItemClick={({ detail }) => onChoose(detail.id)}
            />
        </div>
    );
}
