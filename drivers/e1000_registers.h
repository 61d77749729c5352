/*
 * Registers of the e1000 family, as far as they are used (Intel 8254x software developer's manual,
 * ch. 13; 82574 datasheet, ch. 10).
 */
#ifndef DRIVERS_E1000_REGISTERS_H
#define DRIVERS_E1000_REGISTERS_H

#define REGISTERS_SIZE 0x20000u

#define REG_CTRL    0x0000u
#define REG_STATUS  0x0008u
#define REG_EERD    0x0014u
#define REG_ICR     0x00c0u
#define REG_IMS     0x00d0u
#define REG_IMC     0x00d8u
#define REG_RCTL    0x0100u
#define REG_TCTL    0x0400u
#define REG_TIPG    0x0410u
#define REG_RDBAL   0x2800u
#define REG_RDBAH   0x2804u
#define REG_RDLEN   0x2808u
#define REG_RDH     0x2810u
#define REG_RDT     0x2818u
#define REG_RDTR    0x2820u
#define REG_TDBAL   0x3800u
#define REG_TDBAH   0x3804u
#define REG_TDLEN   0x3808u
#define REG_TDH     0x3810u
#define REG_TDT     0x3818u
#define REG_TXDCTL  0x3828u
#define REG_CRCERRS 0x4000u
#define REG_MPC     0x4010u /* missed packets */
#define REG_ROC     0x40acu /* oversized frames */
#define REG_MTA     0x5200u
#define REG_RAL     0x5400u
#define REG_RAH     0x5404u

#define CTRL_AUTO_SPEED (1u << 5)
#define CTRL_LINK_UP    (1u << 6)
#define CTRL_RESET      (1u << 26)

#define STATUS_LINK_UP (1u << 1)

#define EERD_START           (1u << 0)
#define EERD_DONE            (1u << 4)
#define EERD_ADDRESS         8
#define EERD_DONE_EXPRESS    (1u << 1)
#define EERD_ADDRESS_EXPRESS 2
#define EERD_DATA            16

#define INTERRUPT_LINK              (1u << 2)
#define INTERRUPT_RECEIVE_THRESHOLD (1u << 4) /* few descriptors are left */
#define INTERRUPT_RECEIVE_OVERRUN   (1u << 6)
#define INTERRUPT_RECEIVED          (1u << 7)
#define INTERRUPTS \
    (INTERRUPT_LINK | INTERRUPT_RECEIVE_THRESHOLD | INTERRUPT_RECEIVE_OVERRUN | INTERRUPT_RECEIVED)

/* Buffers of 2048 bytes are what the size field's 0 means. */
#define RCTL_ENABLE         (1u << 1)
#define RCTL_ALL_MULTICAST  (1u << 4)
#define RCTL_BROADCAST      (1u << 15)
#define RCTL_STRIP_CHECKSUM (1u << 26)

#define TCTL_ENABLE     (1u << 1)
#define TCTL_PAD_SHORT  (1u << 3)
#define TCTL_COLLISIONS (15u << 4 | 64u << 12) /* retries; distance for full duplex */

#define TIPG_COPPER 0x0060200au /* gaps between frames, as the manual wants them */

#define TXDCTL_WRITE_BACK_EACH   (1u << 16)
#define TXDCTL_COUNT_DESCRIPTORS (1u << 22)

#define RAH_VALID (1u << 31)

#define MULTICAST_WORDS 128u

#endif
