// SPDX-License-Identifier: MIT
/*
 * Which instructions of aarch64 store: encodings as GNU as makes them.
 */
#include "harness.h"
#include "native/decode.h"

struct row {
	uint32_t code;
	const char *text;
};

static const struct row stores[] = {
	{ 0xf9000020, "str x0,[x1]" },           { 0xb900043f, "str wzr,[x1,#4]" },
	{ 0x38001420, "strb w0,[x1],#1" },       { 0x78002c20, "strh w0,[x1,#2]!" },
	{ 0xf81ff020, "stur x0,[x1,#-1]" },      { 0xf8226820, "str x0,[x1,x2]" },
	{ 0xa9000440, "stp x0,x1,[x2]" },        { 0xac810440, "stp q0,q1,[x2],#32" },
	{ 0xa8000440, "stnp x0,x1,[x2]" },       { 0x3d800020, "str q0,[x1]" },
	{ 0x3c801020, "stur q0,[x1,#1]" },       { 0xfd000420, "str d0,[x1,#8]" },
	{ 0x4c007020, "st1 {v0.16b},[x1]" },     { 0x0d000420, "st1 {v0.b}[1],[x1]" },
	{ 0xc8027c20, "stxr w2,x0,[x1]" },       { 0x8802fc20, "stlxr w2,w0,[x1]" },
	{ 0xc8238820, "stlxp w3,x0,x2,[x1]" },   { 0xc89ffc20, "stlr x0,[x1]" },
	{ 0xd9001020, "stlur x0,[x1,#1]" },      { 0xf8000820, "sttr x0,[x1]" },
	{ 0xc8a07c22, "cas x0,x2,[x1]" },        { 0x08e0fc22, "casalb w0,w2,[x1]" },
	{ 0x48207c82, "casp x0,x1,x2,x3,[x4]" }, { 0x0860fc82, "caspal w0,w1,w2,w3,[x4]" },
	{ 0xf8200022, "ldadd x0,x2,[x1]" },      { 0xb8e00022, "ldaddal w0,w2,[x1]" },
	{ 0xf8208022, "swp x0,x2,[x1]" },        { 0x38e08022, "swpalb w0,w2,[x1]" },
	{ 0xf8203022, "ldset x0,x2,[x1]" },      { 0xf8207022, "ldumin x0,x2,[x1]" },
	{ 0xf820003f, "stadd x0,[x1]" },         { 0xd50b7420, "dc zva,x0" },
};

static const struct row others[] = {
	{ 0xf9400020, "ldr x0,[x1]" },         { 0xb9400420, "ldr w0,[x1,#4]" },
	{ 0x38401420, "ldrb w0,[x1],#1" },     { 0xb9800020, "ldrsw x0,[x1]" },
	{ 0x39800020, "ldrsb x0,[x1]" },       { 0xf85ff020, "ldur x0,[x1,#-1]" },
	{ 0xf8626820, "ldr x0,[x1,x2]" },      { 0xa9400440, "ldp x0,x1,[x2]" },
	{ 0xad400440, "ldp q0,q1,[x2]" },      { 0xa8400440, "ldnp x0,x1,[x2]" },
	{ 0x3dc00020, "ldr q0,[x1]" },         { 0xfd400420, "ldr d0,[x1,#8]" },
	{ 0x4c407020, "ld1 {v0.16b},[x1]" },   { 0x0d400420, "ld1 {v0.b}[1],[x1]" },
	{ 0xc85f7c20, "ldxr x0,[x1]" },        { 0x885ffc20, "ldaxr w0,[x1]" },
	{ 0xc87f8820, "ldaxp x0,x2,[x1]" },    { 0xc8dffc20, "ldar x0,[x1]" },
	{ 0x38bfc020, "ldaprb w0,[x1]" },      { 0xf8bfc020, "ldapr x0,[x1]" },
	{ 0xf8400820, "ldtr x0,[x1]" },        { 0x58000000, "ldr x0,." },
	{ 0xf9800020, "prfm pldl1keep,[x1]" }, { 0xd9401020, "ldapur x0,[x1,#1]" },
	{ 0x8b020020, "add x0,x1,x2" },        { 0xd65f03c0, "ret" },
};

TEST(decode, every_kind_of_store_and_atomic_stores)
{
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		EXPECT_MSG(decode_a64_stores(stores[i].code), "%s (%#x)", stores[i].text, stores[i].code);
}

TEST(decode, loads_and_what_touches_no_memory_do_not_store)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		EXPECT_MSG(!decode_a64_stores(others[i].code), "%s (%#x)", others[i].text, others[i].code);
}
