/* dump.c: a process that ends by _exit(), as the simulator's workers do, leaves its counts behind, too.
 * The linker's --wrap sends the calls here. */
void __gcov_dump(void);
void __real__exit(int code);
void __wrap__exit(int code);

void __wrap__exit(int code)
{
    __gcov_dump();
    __real__exit(code);
}
