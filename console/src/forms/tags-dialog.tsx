// SPDX-License-Identifier: Apache-2.0
import type { Tag } from "@aws-sdk/client-ec2";
import { useState, type ReactNode } from "react";
import type { Call } from "../cli/show";
import type { Action, Resource } from "../list/resource";
import { useSession } from "../session/session";
import { openDialog } from "../shell/dialogs";
import { flashSuccess } from "../shell/flash";
import { ActionDialog } from "./action-dialog";
import { performCall } from "./confirm";
import { TagEditor } from "./tag-editor";

/** The calls that turn the tags `before` into `after`; none when nothing differs. */
export function tagCalls(id: string, before: readonly Tag[], after: readonly Tag[]): Call[] {
    const named = after.filter(({ Key }) => Key);
    const kept = new Set(named.map(({ Key }) => Key));
    const had = new Map(before.map(({ Key, Value }) => [Key, Value]));
    const removed = before.filter(({ Key }) => !kept.has(Key)).map(({ Key }) => ({ Key }));
    const set = named.filter(({ Key, Value }) => !had.has(Key) || had.get(Key) !== Value);
    const calls: Call[] = [];
    if (removed.length > 0) {
        calls.push({ operation: "DeleteTags", input: { Resources: [id], Tags: removed } });
    }
    if (set.length > 0) {
        calls.push({ operation: "CreateTags", input: { Resources: [id], Tags: set } });
    }
    return calls;
}

function TagsDialog({ id, before }: { id: string; before: readonly Tag[] }): ReactNode {
    const session = useSession();
    const [tags, setTags] = useState(before);
    const calls = tagCalls(id, before, tags);
    return (
        <ActionDialog
            title={`Tags of ${id}`}
            submitText="Save"
            calls={calls}
            disabled={calls.length === 0}
            work={async () => {
                for (const call of calls) {
                    await performCall(session, call);
                }
                flashSuccess(`Tags of ${id} saved`);
            }}
        >
            <TagEditor tags={tags} onChange={setTags} />
        </ActionDialog>
    );
}

export function manageTags<T>(resource: () => Resource<T>): Action<T> {
    return {
        id: "tags",
        text: "Manage tags",
        operation: "CreateTags",
        takes: "one",
        run([item]) {
            if (item) {
                const { source, tags } = resource();
                openDialog(<TagsDialog id={source.id(item)} before={tags?.(item) ?? []} />);
            }
        },
    };
}
