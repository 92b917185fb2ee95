// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/attachment_list.h"

#include <algorithm>

#include "catalog/detail/document.h"

namespace kiln::catalog::detail {

Status list_attachments(SqlSession& session) {
    // The script before this made a link of every attachment.
    TRY_ASSIGN(const auto rows,
               session.query({"SELECT id, doc FROM volumes WHERE id IN "
                              "(SELECT source FROM links WHERE kind = 'volume.instance')",
                              {}}));
    for (const SqlRow& row : rows) {
        const auto* id = std::get_if<std::string>(&row[0]);
        const auto* stored = std::get_if<std::string>(&row[1]);
        if (id == nullptr || stored == nullptr) {
            return Error(Code::data_loss, "a volume has no id or no document");
        }
        TRY_ASSIGN(Document document, from_json(*stored), "volume " + *id);
        auto* members = std::get_if<Document::Object>(&document.value);
        if (members == nullptr) {
            return Error(Code::data_loss, "the document of volume " + *id + " is no object");
        }
        const auto found =
            std::find_if(members->begin(), members->end(),
                         [](const DocumentMember& member) { return member.name == "attachment"; });
        if (found == members->end()) {
            continue;
        }
        Document::Array list;
        list.push_back(std::move(found->value));
        *found = {"attachments", Document{std::move(list)}};
        TRY_ASSIGN(std::string text, to_json(document), "volume " + *id);
        TRY(session.execute({"UPDATE volumes SET doc = ? WHERE id = ?", {std::move(text), *id}}));
    }
    return ok();
}

}  // namespace kiln::catalog::detail
