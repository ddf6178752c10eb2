// A Fetcher whose servers are the test.
#pragma once

#include <cassert>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "proxy/fetch.h"

namespace tests {

class FakeFetcher final : public proxy::Fetcher {
 public:
  std::unique_ptr<proxy::Fetch> fetch(proxy::FetchRequest request, OnDone on_done) override {
    asked_.push_back({std::move(request), std::move(on_done), nullptr});
    auto fetch = std::make_unique<One>(*this);
    asked_.back().fetch = fetch.get();
    return fetch;
  }

  // Fetches that are under way, the oldest first.
  std::size_t under_way() const { return asked_.size(); }
  const proxy::FetchRequest& oldest() const { return asked_.front().request; }

  // The oldest ends.
  void answer(proxy::FetchResult result) {
    assert(!asked_.empty());
    auto on_done = std::move(asked_.front().on_done);
    asked_.pop_front();
    on_done(std::move(result));
  }
  void answer(std::string body, std::string etag = {},
              std::optional<std::chrono::seconds> fresh_for = {}) {
    proxy::FetchAnswer answer;
    answer.body = std::move(body);
    answer.etag = std::move(etag);
    answer.fresh_for = fresh_for;
    this->answer(proxy::FetchResult(std::move(answer)));
  }
  void not_modified() {
    proxy::FetchAnswer answer;
    answer.not_modified = true;
    this->answer(proxy::FetchResult(std::move(answer)));
  }
  void fail(proxy::FetchFailure failure = {proxy::FetchFailure::Kind::CannotConnect}) {
    answer(proxy::FetchResult(std::unexpected(failure)));
  }

 private:
  struct One final : proxy::Fetch {
    explicit One(FakeFetcher& its_fetcher) : fetcher(its_fetcher) {}
    ~One() override {
      std::erase_if(fetcher.asked_, [this](const Asked& asked) { return asked.fetch == this; });
    }
    FakeFetcher& fetcher;
  };
  struct Asked {
    proxy::FetchRequest request;
    OnDone on_done;
    const proxy::Fetch* fetch;
  };

  std::deque<Asked> asked_;
};

}  // namespace tests
