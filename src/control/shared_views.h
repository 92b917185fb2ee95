// SPDX-License-Identifier: Apache-2.0
// SharedViews: looks at contents (content_view.h) that many small requests share, so that not each
// of them opens the files again. A view nobody asked for during some seconds is closed, and none is
// handed out for longer than a while, since it holds on to the layers it found.
//
// Thread-safe. close_idle() is called every second or so; whoever holds a view may read on.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "control/content_view.h"
#include "util/mutex.h"

namespace kiln::control {

class SharedViews {
  public:
    // `work_added` as for ContentView.
    SharedViews(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}

    Result<std::shared_ptr<const ContentView>> get(const model::ContentId& content)
        EXCLUDES(mutex_);
    void close_idle() EXCLUDES(mutex_);

  private:
    struct Open {
        std::shared_ptr<const ContentView> view;
        std::chrono::nanoseconds opened{};
        std::chrono::nanoseconds used{};
    };

    const Parts parts_;
    const std::function<void()> work_added_;
    Mutex mutex_;
    std::map<model::ContentId, Open> open_ GUARDED_BY(mutex_);
};

}  // namespace kiln::control
