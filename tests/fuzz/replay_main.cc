// SPDX-License-Identifier: Apache-2.0
// Main of the fuzz targets in ordinary builds: feeds the empty input and every file of the given
// directories to the target, and ends with "N passed, N failed". A target fails by crashing (or by
// its sanitizer), so what is printed before it is the file at fault.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> corpus_files(int count, char** directories) {
    std::vector<fs::path> files;
    for (int i = 1; i < count; ++i) {
        for (const auto& entry : fs::recursive_directory_iterator(directories[i])) {
            if (entry.is_regular_file()) {
                files.push_back(entry.path());
            }
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

int main(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    std::puts("empty input");
    LLVMFuzzerTestOneInput(nullptr, 0);
    const auto files = corpus_files(count, arguments);
    for (const auto& file : files) {
        std::printf("%s\n", file.c_str());
        std::ifstream in(file, std::ios::binary);
        const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    std::printf("%zu passed, 0 failed\n", files.size() + 1);
    return 0;
}
