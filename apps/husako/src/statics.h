/* SPDX-License-Identifier: MIT */
/* The declarations of the SDK modules, which do not depend on any schema. */
#ifndef HUSAKO_STATICS_H
#define HUSAKO_STATICS_H

extern const char HU_DTS_HUSAKO[]; /* .husako/types/husako.d.ts       */
extern const char HU_DTS_BASE[];   /* .husako/types/husako/_base.d.ts */
extern const char HU_DTS_TEST[];   /* .husako/types/husako/test.d.ts  */

#endif
