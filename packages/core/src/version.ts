/** The version of this package. @public */
export const version: string = '0.1.0'
