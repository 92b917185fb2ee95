// SPDX-License-Identifier: Apache-2.0
// ContentView: a read-only look at a content in the engine, for as long as it lives; then it is
// closed, and jobs that waited for that may go on. The layers of what is looked at stay; packs do
// so only while a row names the content. One owner thread, blocking.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "control/parts.h"
#include "model/content.h"

namespace kiln::control {

class ContentView {
  public:
    // `work_added` is called when jobs that waited for the view's end may go on. `prefix` is for
    // people who read logs.
    static Result<std::unique_ptr<ContentView>> open(const Parts& parts,
                                                     std::function<void()> work_added,
                                                     const model::ContentId& content,
                                                     std::string_view prefix);
    ~ContentView();
    ContentView(const ContentView&) = delete;
    ContentView& operator=(const ContentView&) = delete;

    // As the engine knows it.
    const block::VolumeId& name() const { return name_; }

  private:
    ContentView(const Parts& parts, std::function<void()> work_added, block::VolumeId name,
                model::ContentId content)
        : parts_(parts),
          work_added_(std::move(work_added)),
          name_(std::move(name)),
          content_(std::move(content)) {}
    Status wake_waiting();

    const Parts parts_;
    const std::function<void()> work_added_;
    const block::VolumeId name_;
    const model::ContentId content_;
};

}  // namespace kiln::control
