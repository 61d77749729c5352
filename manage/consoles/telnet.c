#include "manage/consoles/telnet.h"

#include <string.h>

/* RFC 854. */
#define SE   240u
#define AYT  246u /* are you there? */
#define SB   250u
#define WILL 251u
#define WONT 252u
#define DO   253u
#define DONT 254u
#define IAC  255u

#define OPTION_BINARY           0u
#define OPTION_ECHO             1u
#define OPTION_SUPPRESS_GOAHEAD 3u
#define OPTIONS_KNOWN           32u /* that have a bit */

#define OURS   (1u << OPTION_BINARY | 1u << OPTION_ECHO | 1u << OPTION_SUPPRESS_GOAHEAD)
#define THEIRS (1u << OPTION_BINARY | 1u << OPTION_SUPPRESS_GOAHEAD)

#define CR 13u
#define LF 10u

static void answer(struct telnet *telnet, const void *bytes, size_t length)
{
    if (telnet->answer_length + length <= TELNET_ANSWER_SIZE) {
        memcpy(telnet->answer + telnet->answer_length, bytes, length);
        telnet->answer_length += length;
    }
}

static void answer_option(struct telnet *telnet, unsigned verb, unsigned option)
{
    const uint8_t bytes[] = {IAC, (uint8_t)verb, (uint8_t)option};

    answer(telnet, bytes, sizeof(bytes));
}

void telnet_begin(struct telnet *telnet)
{
    memset(telnet, 0, sizeof(*telnet));
    telnet->ours = OURS;
    telnet->theirs = THEIRS;
    answer_option(telnet, WILL, OPTION_ECHO);
    answer_option(telnet, WILL, OPTION_SUPPRESS_GOAHEAD);
    answer_option(telnet, DO, OPTION_SUPPRESS_GOAHEAD);
    answer_option(telnet, WILL, OPTION_BINARY);
    answer_option(telnet, DO, OPTION_BINARY);
}

/* The client's word about an option. What we offered and asked for needs no answer when it is
 * agreed to; all else is refused, and a refusal needs none either: so nothing goes round in
 * circles. */
static void negotiate(struct telnet *telnet, uint8_t verb, uint8_t option)
{
    uint32_t bit = option < OPTIONS_KNOWN ? 1u << option : 0;

    switch (verb) {
    case DO:
        if (!(telnet->ours & bit)) {
            answer_option(telnet, WONT, option);
        } else if (option == OPTION_BINARY) {
            telnet->binary_out = true;
        }
        break;
    case DONT:
        if (telnet->ours & bit) {
            telnet->ours &= ~bit;
            answer_option(telnet, WONT, option);
        }
        telnet->binary_out &= option != OPTION_BINARY;
        break;
    case WILL:
        if (!(telnet->theirs & bit)) {
            answer_option(telnet, DONT, option);
        } else if (option == OPTION_BINARY) {
            telnet->binary_in = true;
        }
        break;
    case WONT:
    default:
        if (telnet->theirs & bit) {
            telnet->theirs &= ~bit;
            answer_option(telnet, DONT, option);
        }
        telnet->binary_in &= option != OPTION_BINARY;
        break;
    }
}

/* After an IAC; true if it stands for a byte of that value. */
static bool take_command(struct telnet *telnet, uint8_t byte)
{
    static const char here[] = "\r\n[yes]\r\n";

    telnet->state = TELNET_DATA;
    switch (byte) {
    case WILL:
    case WONT:
    case DO:
    case DONT:
        telnet->verb = byte;
        telnet->state = TELNET_OPTION;
        return false;
    case SB:
        telnet->state = TELNET_SUBNEGOTIATION;
        return false;
    case AYT:
        answer(telnet, here, sizeof(here) - 1);
        return false;
    default:
        return byte == IAC;
    }
}

static bool take_data(struct telnet *telnet, uint8_t byte, uint8_t *typed)
{
    if (byte == IAC) {
        telnet->state = TELNET_COMMAND;
        return false;
    }
    /* A line's end is CR LF, and the key alone CR NUL: to a terminal both are CR. */
    if (telnet->state == TELNET_RETURN && (byte == LF || byte == 0)) {
        telnet->state = TELNET_DATA;
        return false;
    }
    telnet->state = byte == CR && !telnet->binary_in ? TELNET_RETURN : TELNET_DATA;
    *typed = byte;
    return true;
}

bool telnet_receive(struct telnet *telnet, uint8_t byte, uint8_t *typed)
{
    switch (telnet->state) {
    case TELNET_COMMAND:
        *typed = byte;
        return take_command(telnet, byte);
    case TELNET_OPTION:
        telnet->state = TELNET_DATA;
        negotiate(telnet, telnet->verb, byte);
        return false;
    case TELNET_SUBNEGOTIATION:
        if (byte == IAC) {
            telnet->state = TELNET_SUBNEGOTIATION_COMMAND;
        }
        return false;
    case TELNET_SUBNEGOTIATION_COMMAND:
        telnet->state = byte == SE ? TELNET_DATA : TELNET_SUBNEGOTIATION;
        return false;
    case TELNET_DATA:
    case TELNET_RETURN:
        break;
    }
    return take_data(telnet, byte, typed);
}

size_t telnet_encode(struct telnet *telnet, const uint8_t *bytes, size_t length, uint8_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        /* Not binary, a CR has to have a LF or a NUL behind it. */
        if (telnet->return_sent && bytes[i] != LF) {
            out[count++] = 0;
        }
        telnet->return_sent = bytes[i] == CR && !telnet->binary_out;
        out[count++] = bytes[i];
        if (bytes[i] == IAC) {
            out[count++] = IAC;
        }
    }
    return count;
}
