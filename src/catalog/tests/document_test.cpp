// SPDX-License-Identifier: Apache-2.0
// The stored form of rows. golden/rows.txt has it byte for byte: a change there is a change of the
// format (docs/formats/catalog.md). GOLDEN_ACCEPT=1 rewrites the file.
#include "catalog/detail/document.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "catalog/detail/codec.h"
#include "catalog/detail/fields.h"
#include "catalog/tests/samples.h"
#include "util/tests/golden.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;
namespace detail = kiln::catalog::detail;

namespace {

// The table, its columns, the document, the links.
template <class T>
std::string describe(const T& value) {
    detail::RowWriter row;
    fields(row, value);
    std::string text = std::string(detail::kTable<T>) + ":";
    for (std::size_t i = 0; i < row.names().size(); ++i) {
        const detail::SqlValue& column = row.values()[i];
        text += " " + row.names()[i] + "=";
        if (const auto* number = std::get_if<std::int64_t>(&column)) {
            text += std::to_string(*number);
        } else if (const auto* part = std::get_if<std::string>(&column)) {
            text += "'" + *part + "'";
        } else {
            text += "NULL";
        }
    }
    text += "\n  " + *to_json(row.take()) + "\n";
    for (const detail::Link& link : row.links()) {
        text += "  link " + link.kind + " " + link.target + "\n";
    }
    return text;
}

// The columns of `full` with this document.
template <class T>
Result<T> read_row(const T& full, std::string_view json) {
    detail::RowWriter writer;
    fields(writer, full);
    TRY_ASSIGN(const detail::Document document, detail::from_json(json));
    const detail::SqlRow row = writer.values();
    detail::RowReader reader(row, document);
    T record;
    fields(reader, record);
    if (!reader.ok()) {
        return Error(Code::data_loss, "not readable");
    }
    return record;
}

Result<model::Volume> read_volume(std::string_view json) {
    return read_row(full_volume(), json);
}

}  // namespace

TEST_CASE("rows are stored as they always were") {
    const std::string rows =
        describe(full_account()) + describe(full_access_key()) + describe(full_image()) +
        describe(full_snapshot()) + describe(full_volume()) + describe(full_instance()) +
        describe(full_content()) + describe(full_layer()) + describe(full_token()) +
        describe(full_job()) + describe(full_key_pair()) + describe(full_vpc()) +
        describe(full_subnet()) + describe(full_security_group()) + describe(full_role()) +
        describe(full_instance_profile()) + describe(full_region_settings()) +
        describe(full_launch_template()) + describe(full_launch_template_version()) +
        describe(full_replace_root_task()) + describe(full_user()) + describe(full_usage_report()) +
        describe(full_parameter());
    const std::string path =
        (std::filesystem::path(__FILE__).parent_path() / "golden" / "rows.txt").string();
    kiln::testing::check_golden(path, rows);
}

TEST_CASE("a field that a later program added is skipped, one that is missing has its default") {
    const auto volume = read_volume(R"({"size_gib":3,"colour":{"of":["night"]},"type":"gp3"})");
    REQUIRE(volume.has_value());
    CHECK(volume->size_gib == 3);
    CHECK(volume->type == model::VolumeType::gp3);
    CHECK_FALSE(volume->iops.has_value());
    CHECK(volume->attachments.empty());
    CHECK_FALSE(volume->source_image.has_value());
    const auto instance = read_row(full_instance(), R"({"type":"t3.nano"})");
    REQUIRE(instance.has_value());
    CHECK(instance->capacity_preference == model::CapacityPreference::open);  // RUN-16
}

TEST_CASE("a document that is damaged is data loss, not a guess") {
    for (const char* bad : {
             "",                           // nothing
             "[]",                         // no object
             "{\"size_gib\":3",            // cut off
             "{\"size_gib\":3.5}",         // numbers are whole
             "{\"size_gib\":-1}",          // out of range
             "{\"size_gib\":4294967296}",  // the same
             "{\"size_gib\":18446744073709551615}",
             "{\"size_gib\":\"3\"}",  // a text is no number
             "{\"type\":\"gp9\"}",    // no such type
             "{\"encrypted\":1}",     // no flag
             "{\"attachments\":{}}",  // no list
             "{\"attachments\":[{\"state\":7}]}",
         }) {
        CAPTURE(bad);
        const auto volume = read_volume(bad);
        REQUIRE_FALSE(volume.has_value());
        CHECK(volume.error().code() == Code::data_loss);
    }
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    CHECK(detail::from_json(deep).error().code() == Code::data_loss);
}

TEST_CASE("texts keep every character") {
    model::Volume volume = full_volume();
    volume.kms_key_id = "\"\\\n\t\x01 ä \xF0\x9F\x90\xA7";
    detail::RowWriter writer;
    fields(writer, std::as_const(volume));
    const auto json = to_json(writer.take());
    REQUIRE(json.has_value());
    CHECK(read_volume(*json)->kms_key_id == volume.kms_key_id);
}
