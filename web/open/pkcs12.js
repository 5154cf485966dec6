export const isPkcs12 = () => false;
export const readPkcs12 = null;
