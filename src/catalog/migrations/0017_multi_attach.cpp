// SPDX-License-Identifier: Apache-2.0
// A volume may be attached to several instances: they are a list in its document, and links find
// them, where there was one and a column. list_attachments() changes the documents after this. A
// job of an attachment is told by volume and instance.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0017MultiAttach = R"sql(
INSERT INTO links (kind, target, source)
    SELECT 'volume.instance', instance, id FROM volumes WHERE instance <> '';
UPDATE jobs SET subject = subject || '/' ||
    (SELECT instance FROM volumes WHERE volumes.id = jobs.subject)
    WHERE kind = 'volume.attachment'
    AND subject IN (SELECT id FROM volumes WHERE instance <> '');
DROP INDEX volumes_instance;
ALTER TABLE volumes DROP COLUMN instance;
)sql";

}  // namespace kiln::catalog::detail
