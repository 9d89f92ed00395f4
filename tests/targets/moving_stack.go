// SPDX-License-Identifier: Apache-2.0

// Calls a probed function on goroutines whose stacks grow, hence move, while it is active. Prints "ENTRY 0" (its offset in the
// file, in hexadecimal), waits for a line, then calls it 1000 times. Exit status 0: all came back with the right answer.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
)

//go:noinline
func middle(n int) int {
	return deeper(n, 200) + 1
}

//go:noinline
func deeper(n, depth int) int {
	var room [64]int
	room[depth%64] = n
	if depth == 0 {
		return room[0]
	}
	return deeper(room[depth%64], depth-1)
}

func offsetOf(code uintptr) uintptr {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to, offset uintptr
		var mode string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s %x", &from, &to, &mode, &offset); n == 4 && from <= code && code < to {
			return code - from + offset
		}
	}
	return 0
}

func main() {
	fmt.Printf("%x 0\n", offsetOf(reflect.ValueOf(middle).Pointer()))
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		os.Exit(2)
	}
	answers := make(chan int)
	for n := 0; n < 1000; n++ {
		go func(n int) { answers <- middle(n) - n }(n)
	}
	for n := 0; n < 1000; n++ {
		if <-answers != 1 {
			os.Exit(1)
		}
	}
}
