// Adds its arguments up: with the library of C++, for a compiler must find that too.
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

int main(int count, char** arguments) {
    std::vector<int> numbers;
    for (int at = 1; at < count; ++at) {
        numbers.push_back(std::stoi(arguments[at]));
    }
    std::cout << "sum " << std::accumulate(numbers.begin(), numbers.end(), 0) << "\n";
}
