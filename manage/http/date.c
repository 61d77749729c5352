#include "manage/http/date.h"

#include <stdio.h>

#define SECONDS_PER_DAY 86400u
#define DAYS_PER_ERA    146097u /* 400 years */

void http_date(uint64_t seconds, char text[HTTP_DATE_SIZE])
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[][4] = {"Mar", "Apr", "May", "Jun", "Jul", "Aug",
                                     "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"};
    unsigned day = (unsigned)(seconds / SECONDS_PER_DAY);
    unsigned second = (unsigned)(seconds % SECONDS_PER_DAY);
    /* Years that begin in March have their leap day at the end; 1970-01-01 is day 719468 since the
     * March of the year 0. */
    unsigned since = day + 719468u;
    unsigned era = since / DAYS_PER_ERA;
    unsigned of_era = since % DAYS_PER_ERA;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153;

    snprintf(text, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[day % 7],
             of_year - (153 * month + 2) / 5 + 1, months[month],
             year + era * 400 + (month >= 10 ? 1 : 0), second / 3600, second / 60 % 60,
             second % 60);
}
