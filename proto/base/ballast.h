/*
 * ballast.h - room on a full disk for a program that starts there.
 *
 * LevelDB writes when it opens, and so does a start.  A program keeps a file
 * of real blocks in its data folder and gives it up when it finds no room.
 */
#ifndef BASE_BALLAST_H
#define BASE_BALLAST_H

/* At a start, before anything is written: when the disk of dir has less room
 * than the ballast gives, remove it.  Logs that the disk is full. */
void ballast_use(const char *dir);

/* Once the start is done: reserve as much of the ballast as there is room
 * for.  Logs when there is hardly any. */
void ballast_keep(const char *dir);

#endif
